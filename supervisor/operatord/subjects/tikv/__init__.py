"""The TiKV subject: PD, TiKV, and what watches them."""
