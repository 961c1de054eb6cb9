"""How requests meet the service: policies and the one guard, errors, cookies, limits, sign-in, health."""
