// The console's one script: live parts, keys, dialogs. Pages work without it.
