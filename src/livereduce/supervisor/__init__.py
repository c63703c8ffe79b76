"""The parent process: children kept alive, scripts watched, the page served, the heartbeat written."""
