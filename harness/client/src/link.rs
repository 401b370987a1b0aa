//! Links to calls: `callproof://call/bob?video=1`, or `https://callproof.example/call/bob?video=1`. They come from anywhere, and
//! so can only propose.

use kernel::UserName;
use url::Url;

/// The longest link that is looked at, in bytes.
const MAX_LINK_BYTES: usize = 2_048;
/// The longest name of a user, in bytes.
const MAX_NAME: usize = 32;
/// The host of links that a browser hands to the app.
const WEB_HOST: &str = "callproof.example";

/// What a link proposes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallLink {
    /// Who would be called.
    pub(crate) peer: UserName,
    /// Whether with the camera.
    pub(crate) video: bool,
    /// Whether it asks for a call without a question: only the planted bug V06 hears that.
    pub(crate) automatic: bool,
}

impl CallLink {
    /// Reads a link; none where it is no link to a call, or has anything in it that one does not need.
    pub(crate) fn parse(link: &str) -> Option<CallLink> {
        let url = Url::parse(link).ok().filter(|_| link.len() <= MAX_LINK_BYTES)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.port().is_none();
        let path = url.path();
        let name = match (url.scheme(), url.host_str()) {
            ("callproof", Some("call")) => path.strip_prefix('/')?,
            ("https", Some(WEB_HOST)) => path.strip_prefix("/call/")?,
            _ => return None,
        };
        let is_set = |key: &str| url.query_pairs().any(|(name, value)| name == key && value == "1");
        (is_plain && is_name(name)).then(|| CallLink {
            peer: name.into(),
            video: is_set("video"),
            automatic: is_set("auto"),
        })
    }
}

/// Whether the server might know somebody by this name.
fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn link(peer: &str, video: bool, automatic: bool) -> Option<CallLink> {
        Some(CallLink { peer: peer.into(), video, automatic })
    }

    #[test]
    fn a_link_names_somebody_and_the_camera_and_asks_for_more_in_vain() {
        assert_eq!(CallLink::parse("callproof://call/bob"), link("bob", false, false));
        assert_eq!(CallLink::parse("CALLPROOF://call/bob?video=1&auto=1&x=y#z"), link("bob", true, true));
        assert_eq!(CallLink::parse("https://callproof.example/call/bob?video=1"), link("bob", true, false));
        assert_eq!(CallLink::parse("https://callproof.example:443/call/bob?video=yes"), link("bob", false, false));
    }

    #[test]
    fn what_only_looks_like_a_link_to_a_call_is_none() {
        for text in [
            "",
            "bob",
            "call/bob",
            "callproof:call/bob",
            "callproof://join/bob",
            "callproof://call/",
            "callproof://call/bob/",
            "callproof://call/bob/carol",
            "callproof://call/Bob",
            "callproof://call/b%6fb",
            "callproof://alice@call/bob",
            "callproof://alice:secret@call/bob",
            "callproof://call:99/bob",
            "http://callproof.example/call/bob",
            "https://callproof.example.evil.example/call/bob",
            "https://callproof.example@evil.example/call/bob",
            "https://callproof.example:8443/call/bob",
            "https://xn--cllproof-4za.example/call/bob",
            "https://callproof.example/join/bob",
            "javascript:callproof://call/bob",
        ] {
            assert_eq!(CallLink::parse(text), None, "{text}");
        }
        let long = format!("callproof://call/bob?x={}", "y".repeat(MAX_LINK_BYTES));
        assert_eq!(CallLink::parse(&long), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_link_or_none(text in "\\PC{0,60}", name in "[a-z0-9._-]{1,32}") {
            let _ = CallLink::parse(&text);
            let named = CallLink::parse(&format!("callproof://call/{name}"));
            // A browser's rules take these for "here" and "one up".
            prop_assert!(named.is_some() || matches!(name.as_str(), "." | ".."));
        }
    }
}
