//! PH: who calls is who it seems to be.

use crate::{catalogue::Evidence, checks::Checks, run::Friendships};
use kernel::{UserName, event::Screen};

/// PH-1. The plan says who means to be taken for whom, so that no rule of likeness is needed here: a ring screen warns of
/// exactly those who imitate a friend of its user, or the service.
pub(crate) fn look_alikes_are_marked(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let friendships = Friendships::of(run);
    let mut checks = Checks::default();
    let participants = || run.plan.participants.iter();
    for shown in &run.events.screens {
        let Screen::Incoming { peer, looks_like, .. } = &shown.screen else { continue };
        let original = participants().filter(|one| one.user == *peer).find_map(|one| one.imitates.as_ref());
        let is_known = |original: &UserName| {
            // Who is nobody's name here is the service's.
            participants().all(|one| one.user != *original) || friendships.may_ring(original, &shown.user, shown.index)
        };
        let expected = original.filter(|original| is_known(original));
        checks.check(looks_like.as_ref() == expected, shown.at, shown.index, || match (expected, looks_like) {
            (Some(original), None) => {
                format!("{} is not told that {peer}, who calls, can be taken for {original}", shown.user)
            }
            (Some(original), Some(other)) => {
                format!("{} is told that {peer} can be taken for {other}, and not for {original}", shown.user)
            }
            (None, other) => {
                let other = other.as_ref().map(UserName::as_str).unwrap_or_default();
                format!("{} is told that {peer} can be taken for {other}, whom {peer} is not like", shown.user)
            }
        });
    }
    checks
}

#[cfg(test)]
mod tests {
    use crate::story::{CALL, Story};
    use kernel::event::{Event, Fact, Screen, Ui, Verification};

    const MARKED: &str = "look_alikes_are_marked";

    fn shown(story: &mut Story, looks_like: Option<&str>) {
        let (user, device) = ("bob".into(), "bob-phone".into());
        let screen = Screen::Incoming {
            call: CALL,
            peer: "alice".into(),
            calling_device: "alice-phone".into(),
            video: true,
            verification: Verification::Unverified,
            looks_like: looks_like.map(Into::into),
            waits: false,
        };
        story.tell(Event::Ui(Ui { user, device, screen }));
    }

    /// Bob's phone shows that alice calls, who imitates somebody.
    fn ring(imitates: Option<&str>, looks_like: Option<&str>) -> Story {
        let mut story = Story::new();
        story.plan.participants[0].imitates = imitates.map(Into::into);
        story.befriend().ringing();
        shown(&mut story, looks_like);
        story
    }

    #[test]
    fn who_imitates_the_service_is_marked_and_others_are_not() {
        assert_eq!(ring(Some("support"), Some("support")).holds(MARKED), 1);
        assert_eq!(ring(None, None).holds(MARKED), 1);
    }

    #[test]
    fn a_warning_is_missing_wrong_or_for_nothing() {
        let sentence = ring(Some("support"), None).fails_only(MARKED);
        assert_eq!(sentence, "bob is not told that alice, who calls, can be taken for support");
        let sentence = ring(Some("support"), Some("admin")).fails_only(MARKED);
        assert_eq!(sentence, "bob is told that alice can be taken for admin, and not for support");
        let sentence = ring(None, Some("carol")).fails_only(MARKED);
        assert_eq!(sentence, "bob is told that alice can be taken for carol, whom alice is not like");
    }

    #[test]
    fn an_imitated_person_counts_for_friends_only() {
        let story = |befriended: bool| {
            let mut story = Story::new();
            let carol = kernel::plan::Participant {
                user: "carol".into(),
                device: "carol-phone".into(),
                ..story.plan.participants[1].clone()
            };
            story.plan.participants.push(carol);
            story.plan.participants[0].imitates = Some("carol".into());
            if befriended {
                story.at(900).fact(Fact::Befriended { by: "bob".into(), other: "carol".into() });
            }
            story.befriend().ringing();
            shown(&mut story, None);
            story
        };
        assert_eq!(story(false).holds(MARKED), 1);
        story(true).fails_only(MARKED);
    }
}
