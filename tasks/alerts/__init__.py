"""Alarms: conditions that need attention, and the delivery of notifications."""
