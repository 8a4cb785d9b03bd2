"""Health: whether what comes in, what is decided and what is earned are still as they were."""
