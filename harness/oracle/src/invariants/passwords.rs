//! ACC: which passwords people get.

use crate::{catalogue::Evidence, checks::Checks};
use kernel::{UserName, event::Fact, seam};
use zxcvbn::Score;

/// Shortest password in characters, longest in bytes.
const LENGTH: (usize, usize) = (8, 256);

/// ACC-1. What a device says that its user chose is judged here, by whatever rule the server went.
pub(crate) fn passwords_are_strong(evidence: &Evidence) -> Checks {
    let events = &evidence.run.events;
    let mut checks = Checks::default();
    let mut came_to_be = Vec::new();
    for fact in &events.facts {
        let Fact::PasswordSet { user, how, by } = &fact.get().fact else { continue };
        let chosen =
            events.passwords.iter().rev().find(|chosen| {
                chosen.index < fact.index && (&chosen.user, &chosen.how, &chosen.device) == (user, how, by)
            });
        came_to_be.extend(chosen.map(|chosen| chosen.index));
        let flaw = chosen.map_or(Some("that nobody chose on this device"), |chosen| flaw(&chosen.password, user));
        checks.check(flaw.is_none(), fact.at, fact.index, || {
            format!("{user} has a password by {by} {}", flaw.unwrap_or_default())
        });
    }
    let refused = events.passwords.iter().filter(|chosen| !came_to_be.contains(&chosen.index));
    checks.held(refused.filter(|chosen| flaw(&chosen.password, &chosen.user).is_some()).count() as u64);
    checks
}

/// What is wrong with a password.
fn flaw(password: &str, user: &UserName) -> Option<&'static str> {
    if password.chars().count() < LENGTH.0 {
        return Some("that is too short");
    }
    if password.len() > LENGTH.1 {
        return Some("that is too long");
    }
    let score = seam::apart(|| zxcvbn::zxcvbn(password, &[user.as_str()]).score());
    (score < Score::Three).then_some("that is too easy to guess")
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::{Event, Fact, PasswordChosen, PasswordPath};

    const STRONG: &str = "passwords_are_strong";
    const GOOD: &str = "correct horse battery";

    fn choose(story: &mut Story, how: PasswordPath, password: &str) {
        let (user, device, password) = ("bob".into(), "bob-phone".into(), password.into());
        story.tell(Event::PasswordChosen(PasswordChosen { user, device, how, password }));
    }

    fn set(story: &mut Story, how: PasswordPath) {
        let message = ["sign_up", "change_password", "reset_password"][how as usize];
        story.signal("bob-phone", "signaling", message, b"");
        story.fact(Fact::PasswordSet { user: "bob".into(), how, by: "bob-phone".into() });
    }

    #[test]
    fn strong_passwords_may_be_set_and_weak_ones_only_chosen() {
        let mut story = Story::new();
        for how in [PasswordPath::SignUp, PasswordPath::Change, PasswordPath::Reset] {
            choose(&mut story, how, "short7#");
            choose(&mut story, how, GOOD);
            set(&mut story, how);
        }
        assert_eq!(story.holds(STRONG), 6);
    }

    #[test]
    fn a_weak_password_is_found_on_each_path() {
        for how in [PasswordPath::SignUp, PasswordPath::Change, PasswordPath::Reset] {
            let flaws = [
                ("Zq#91_x", "that is too short"),
                (&*"kT9!rwPz".repeat(33), "that is too long"),
                ("bob-phone", "that is too easy to guess"),
                ("password123", "that is too easy to guess"),
            ];
            for (password, flaw) in flaws {
                let mut story = Story::new();
                choose(&mut story, how, password);
                set(&mut story, how);
                assert_eq!(story.fails_only(STRONG), format!("bob has a password by bob-phone {flaw}"));
            }
        }
    }

    #[test]
    fn a_password_that_nobody_chose_is_found() {
        let mut story = Story::new();
        choose(&mut story, PasswordPath::SignUp, GOOD);
        set(&mut story, PasswordPath::Reset);
        assert_eq!(story.fails_only(STRONG), "bob has a password by bob-phone that nobody chose on this device");
    }
}
