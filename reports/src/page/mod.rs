//! placeholder
use crate::{run::{Artefact, Run}, suite::Suite};
pub(crate) fn render(_run: &Run<'_>, _artefacts: &[Artefact]) -> Result<String, askama::Error> { Ok(String::new()) }
pub(crate) fn render_suite(_suite: &Suite) -> Result<String, askama::Error> { Ok(String::new()) }
