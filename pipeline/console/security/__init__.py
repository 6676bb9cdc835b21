"""Who may come in: tokens, single sign-on, sessions, forged requests, rates, and the access log."""
