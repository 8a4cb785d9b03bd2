"""`nba tune`: which settings of the learners, and which exploration, earn more on later decisions."""
