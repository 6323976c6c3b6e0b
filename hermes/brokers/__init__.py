"""Between processes, with history: where events are numbered, kept and fanned out."""
