"""Who may come in and who did: tokens, sessions of browsers, the access log. Secrets are kept as hashes alone."""
