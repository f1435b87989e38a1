"""The robot as data: model, contacts, hands, and the rows of numbers that it exchanges."""
