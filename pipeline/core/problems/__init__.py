"""Problems: what lies behind incidents that come back."""
