"""What ``mic_demo.py`` shows: lines for people or programs, or a live screen."""
