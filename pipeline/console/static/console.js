// @ts-check
// The console's script: live parts, keys, dialogs. Pages work without it.
