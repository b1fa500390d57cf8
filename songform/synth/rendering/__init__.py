"""Rendering of notes as sound: note player, mixing and mastering."""
