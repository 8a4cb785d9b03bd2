"""The store suites. A further store is one line in `contract.STORES`, or in `durable.SHARED` too."""
