"""Control of hands and gaze, independent of what the legs do."""
