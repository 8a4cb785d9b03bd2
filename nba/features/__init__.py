"""Features: what is known of a customer at a moment, as numbers, online and offline alike."""
