"""Backtest: what another configuration would have made of the same alerts, incident by incident."""
