"""IPL, the Integrated Proxy Learner. It imports `bench.base` alone, as any plugin may."""
