//! Links in a text: shown by the host that a tap would reach, opened by a tap only, and by HTTPS only.
//!
//! The host is what the WHATWG URL parser makes of it, in its ASCII form: a user name before an `@`, a look-alike letter
//! (shown as `xn--`), an address in decimal or hexadecimal say no longer what they pretend. Letters that turn or hide others
//! (bidirectional controls, zero width) are no part of a link; what holds them is shown without.

use kernel::mutant;
use url::Url;

/// Links of a message that are shown as links; further ones are plain text.
const MAX_LINKS: usize = 16;

/// A link as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// As it was written.
    pub(crate) written: String,
    /// As it is shown: its host.
    pub(crate) shown: String,
    /// Where a tap leads; none for what cannot be opened.
    pub(crate) opens: Option<String>,
}

/// The links of a text, in order.
pub(crate) fn links(text: &str) -> Vec<Link> {
    text.split_whitespace().filter_map(link).take(MAX_LINKS).collect()
}

fn link(word: &str) -> Option<Link> {
    let word = word.trim_matches(|c: char| "()<>[]{},;\"'".contains(c)).trim_end_matches(['.', '!', '?']);
    let visible: String = word.chars().filter(|letter| !is_hidden(*letter)).collect();
    let address = if visible.starts_with("www.") { format!("https://{visible}") } else { visible };
    let is_link = address.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty());
    let parsed = Url::parse(&address).ok().filter(|_| is_link)?;
    // V109: shown as it was typed, and opened whatever it is.
    if mutant!(V109) {
        return Some(Link { written: word.into(), shown: word.into(), opens: Some(word.into()) });
    }
    let shown = parsed.host_str().map_or_else(|| parsed.scheme().to_owned(), str::to_owned);
    Some(Link { written: word.into(), shown, opens: opens(parsed) })
}

fn opens(mut parsed: Url) -> Option<String> {
    let has_host = parsed.scheme() == "https" && parsed.host_str().is_some_and(|host| !host.is_empty());
    // Who the link says one is reaches nobody.
    let stripped = has_host && parsed.set_username("").is_ok() && parsed.set_password(None).is_ok();
    stripped.then(|| parsed.into())
}

/// A scheme that a reader would take for one, not a time of the day or a name with a colon.
fn is_scheme(text: &str) -> bool {
    matches!(
        text.to_ascii_lowercase().as_str(),
        "http" | "https" | "javascript" | "data" | "file" | "ftp" | "callproof"
    )
}

/// Bidirectional controls (UAX 9) and letters without width.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<(String, bool)> {
        links(text).into_iter().map(|link| (link.shown, link.opens.is_some())).collect()
    }

    fn only(text: &str) -> (String, bool) {
        let [one] = &shown(text)[..] else { panic!("{:?}", links(text)) };
        one.clone()
    }

    #[test]
    fn a_link_is_shown_by_the_host_that_it_reaches() {
        let host = |text: &str| only(text).0;
        assert_eq!(host("see https://example.org/help."), "example.org");
        assert_eq!(host("https://instagram.com@evil.example/login"), "evil.example");
        assert_eq!(host("https://instagram.com.evil.example/"), "instagram.com.evil.example");
        assert_eq!(host("https://instagr\u{430}m.com/"), "xn--instagrm-76g.com");
        assert_eq!(host("https://3232235777/"), "192.168.1.1");
        assert_eq!(host("https://0xC0A80101/"), "192.168.1.1");
        assert_eq!(host("https://exam\u{202e}ple.org/\u{200b}moc"), "example.org");
        assert_eq!(host("(www.example.org)"), "www.example.org");
    }

    #[test]
    fn only_https_is_opened_and_without_the_name_in_front() {
        for text in ["http://example.org/", "javascript:alert(1)", "data:text/html,hello", "file:///etc/passwd"] {
            assert!(!only(text).1, "{text}");
        }
        assert_eq!(links("https://me:secret@example.org/x")[0].opens.as_deref(), Some("https://example.org/x"));
    }

    #[test]
    fn what_is_no_link_is_text_and_links_are_bounded() {
        assert_eq!(shown("at 10:30 with bob: hello, note:this https:// http:"), []);
        assert_eq!(shown(&"https://example.org/ ".repeat(100)).len(), MAX_LINKS);
    }
}
