"""Mentions of concepts in text: statements with spans from reports and dialogues."""
