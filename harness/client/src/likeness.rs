//! Which names can be taken for one another (UTS 39, and what it leaves out).

use kernel::{UserName, mutant};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::confusable_detection::skeleton;

/// Words that only the service itself may go by.
pub const SERVICE_WORDS: &[&str] = &["admin", "official", "security", "service", "staff", "support", "system"];
/// In names as long as this, one letter too many, too few, changed or swapped is overlooked.
const LONG: usize = 5;

/// Whose name a name can be taken for: that of somebody who was a friend before, or a word that only the service may go by. Of
/// two who are alike the second one is the imitation.
pub(crate) fn taken_for<'n>(name: &UserName, older: impl IntoIterator<Item = &'n UserName>) -> Option<UserName> {
    let seen = as_seen(name.as_str());
    let friend = older.into_iter().find(|friend| {
        // V108: names are compared by their code points, which are never the same.
        !mutant!(V108) && are_alike(&seen, &as_seen(friend.as_str()))
    });
    let reserved = || {
        let parts: Vec<String> = name.as_str().split(is_separator).map(as_seen).collect();
        SERVICE_WORDS.iter().find(|word| parts.iter().any(|part| *part == as_seen(word)) || seen == as_seen(word))
    };
    friend.cloned().or_else(|| reserved().filter(|_| !mutant!(V108)).map(|word| UserName::from(*word)))
}

fn are_alike(one: &str, other: &str) -> bool {
    one == other || one.chars().count().min(other.chars().count()) >= LONG && strsim::osa_distance(one, other) <= 1
}

/// What is left of a name for who only glances at it: no case, accents, separators or invisible marks, and one letter for all
/// that look like it. UTS 39 knows look-alikes of other scripts; digits in the place of letters are added here.
fn as_seen(name: &str) -> String {
    let visible: String = name.nfkc().filter(|c| !is_invisible(*c) && !is_separator(*c)).collect();
    let bare = |text: String| -> String { text.nfd().filter(|c| !is_combining_mark(*c)).collect() };
    // Capitals look like other letters than the small ones do.
    let capitals: String = skeleton(&bare(visible)).collect();
    let small: String = skeleton(&bare(capitals.to_lowercase())).collect();
    bare(small).chars().map(as_letter).collect()
}

fn as_letter(c: char) -> char {
    match c {
        '0' => 'o',
        '1' | 'i' | '|' | '!' => 'l',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '_' | '.' | ' ')
}

/// Controls, marks without width, and what changes the direction of writing (CVE-2022-28345).
fn is_invisible(c: char) -> bool {
    let ranges = ['\u{200b}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{2060}'..='\u{206f}', '\u{fe00}'..='\u{fe0f}'];
    c.is_control() || matches!(c, '\u{ad}' | '\u{34f}' | '\u{feff}') || ranges.iter().any(|range| range.contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(name: &str, friends: &[&str]) -> Option<String> {
        let friends: Vec<UserName> = friends.iter().map(|friend| UserName::from(*friend)).collect();
        taken_for(&name.into(), &friends).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_that_look_like_a_friends_are_seen() {
        for (imitation, original) in [
            ("lnstagram", "instagram"),
            ("b0b", "bob"),
            ("bób", "bob"),
            ("bоb", "bob"), // A Cyrillic o.
            ("ВОВ", "bob"), // Cyrillic capitals.
            ("ｂｏｂ", "bob"),
            ("b\u{200b}ob", "bob"),
            ("bo\u{202e}b", "bob"),
            ("b-ob", "bob"),
            ("a1ice", "alice"),
            ("alcie", "alice"),
            ("alicee", "alice"),
            ("rnarla", "maria"),
        ] {
            assert_eq!(taken(imitation, &["dave", original]).as_deref(), Some(original), "{imitation}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for (name, friend) in [("rob", "bob"), ("carol", "alice"), ("alina", "alice"), ("bobby", "bob"), ("王", "李")]
        {
            assert_eq!(taken(name, &[friend]), None, "{name}");
        }
    }

    #[test]
    fn the_words_of_the_service_are_its_own() {
        for (name, word) in [("support", "support"), ("supp0rt-team", "support"), ("the.ADMlN", "admin")] {
            assert_eq!(taken(name, &[]).as_deref(), Some(word), "{name}");
        }
        assert_eq!(taken("supporter", &[]), None);
    }

    proptest! {
        #[test]
        fn whatever_looks_the_same_is_the_same_both_ways(one in "\\PC{0,12}", other in "\\PC{0,12}") {
            let (one, other) = (as_seen(&one), as_seen(&other));
            prop_assert!(are_alike(&one, &one));
            prop_assert_eq!(are_alike(&one, &other), are_alike(&other, &one));
        }
    }
}
