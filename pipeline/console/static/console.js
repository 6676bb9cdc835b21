// @ts-check
// The console's script: it starts the parts. Pages work without it.

import { startAsking } from "./asking.js";
import { startClocks } from "./clocks.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startOffers } from "./offers.js";
import { startSelection } from "./selection.js";
import { startSignIn } from "./sign-in.js";

startClocks();
startOffers();
startSignIn();
startSelection();
startAsking();
startKeys();
startLive();
