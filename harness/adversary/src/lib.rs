//! Wiretaps, malicious servers and insiders; the mutant catalogue.
