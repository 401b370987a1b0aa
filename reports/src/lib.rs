//! Renderers of a judged run: JSON, JUnit, Markdown, HTML, pcapng, hlog; baselines.
