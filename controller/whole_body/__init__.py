"""The whole-body controller: a robot's tasks, contacts and limits put together, solved and explained."""
