//! Whether this machine has what the codecs need, and the one-time start of GStreamer.

use gstreamer as gst;
use std::sync::OnceLock;

/// The elements that the default path needs, each with the Debian package that holds it.
pub const ELEMENTS: [(&str, &str); 4] = [
    ("vp8enc", "gstreamer1.0-plugins-good"),
    ("vp8dec", "gstreamer1.0-plugins-good"),
    ("opusenc", "gstreamer1.0-plugins-base"),
    ("opusdec", "gstreamer1.0-plugins-base"),
];

/// A GStreamer element that is not installed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Name of the element.
    pub element: &'static str,
    /// The Debian package that holds it.
    pub package: &'static str,
}

/// GStreamer cannot be used on this machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InitializeError {
    /// The library itself does not start.
    #[error("GStreamer does not start: {0}")]
    Library(String),
    /// Elements are not installed.
    #[error("GStreamer elements are missing ({}): install {}", names(.0), packages(.0))]
    Elements(Vec<Missing>),
    /// An element is there and does not work.
    #[error("a codec does not work: {0}")]
    Codec(String),
}

/// Starts GStreamer and loads the codecs, once a process. To be called outside any simulation: the library reads
/// environment, files and clocks while it starts, and none of that may be part of a run.
///
/// # Errors
/// [`InitializeError`]: what to install is in its text.
///
/// # Panics
/// When the first call is made inside a simulation: the caller's bug.
pub fn initialize() -> Result<(), InitializeError> {
    static STARTED: OnceLock<Result<(), InitializeError>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            assert!(!kernel::seam::is_entered(), "GStreamer must be started before the simulation");
            start_library()?;
            let missing = missing_elements();
            if !missing.is_empty() {
                return Err(InitializeError::Elements(missing));
            }
            // Codecs load their libraries and choose their CPU paths at first use.
            crate::fingerprint::self_test().map(|_| ()).map_err(|error| InitializeError::Codec(error.to_string()))
        })
        .clone()
}

/// The needed elements that are not installed: empty on a machine that can run every scenario. All of them when
/// GStreamer itself does not start.
pub fn missing() -> Vec<Missing> {
    match start_library() {
        Ok(()) => missing_elements(),
        Err(_) => ELEMENTS.iter().map(|&(element, package)| Missing { element, package }).collect(),
    }
}

/// The Debian package that holds an element, by the table or, for foreign ones, where video codecs usually are.
pub(crate) fn package_of(element: &str) -> &'static str {
    ELEMENTS.iter().find(|(name, _)| *name == element).map_or("gstreamer1.0-plugins-bad", |(_, package)| package)
}

fn start_library() -> Result<(), InitializeError> {
    gst::init().map_err(|error| InitializeError::Library(error.to_string()))
}

fn missing_elements() -> Vec<Missing> {
    let absent = |&&(element, _): &&(&str, &str)| gst::ElementFactory::find(element).is_none();
    ELEMENTS.iter().filter(absent).map(|&(element, package)| Missing { element, package }).collect()
}

fn names(missing: &[Missing]) -> String {
    missing.iter().map(|missing| missing.element).collect::<Vec<_>>().join(", ")
}

fn packages(missing: &[Missing]) -> String {
    let mut packages: Vec<_> = missing.iter().map(|missing| missing.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_what_to_install() {
        let missing = ELEMENTS.iter().map(|&(element, package)| Missing { element, package }).collect();
        assert_eq!(
            InitializeError::Elements(missing).to_string(),
            "GStreamer elements are missing (vp8enc, vp8dec, opusenc, opusdec): \
             install gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
        );
    }

    #[test]
    fn this_machine_has_every_element() {
        assert_eq!(missing(), []);
    }
}
