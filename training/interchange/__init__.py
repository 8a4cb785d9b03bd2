"""The decision log out of a store and into one: as a folder of Parquet files, and as VW's dsjson."""
