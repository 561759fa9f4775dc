"""What ``evaluate.py`` measures: clips, or long recordings."""
