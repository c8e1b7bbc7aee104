"""Scripted street scenes, drawn and synthesised from a seed: for the demo, for training and for tests."""

from pipeline.scene.render import render, render_sound
from pipeline.scene.script import Act, Scene, demo_scene, label_rows, random_scene, write_labels

__all__ = ["Act", "Scene", "demo_scene", "label_rows", "random_scene", "render", "render_sound", "write_labels"]
