//! R13: privacy settings are obeyed.

use super::refusals::ON_ITS_WAY;
use crate::{
    catalogue::Evidence,
    checks::Checks,
    run::{Friendships, Run, Seen, Settings},
};
use kernel::{
    UserName,
    event::{Act, Signal, UserAct},
};

/// Of calls to people who chose a setting: each try, each ring, and what was accepted. Of questions when somebody was last
/// there: each answer.
pub(crate) fn settings_are_obeyed(evidence: &Evidence) -> Checks {
    let run = evidence.run;
    let (friendships, settings) = (Friendships::of(run), Settings::of(run));
    let mut checks = Checks::default();
    judge_rings(run, &settings, &mut checks);
    for act in &run.events.user_acts {
        match &act.what {
            Act::Call { user, .. } if settings.has_chosen(user, act.index) => {
                judge_try(run, &settings, act, user, &mut checks);
            }
            Act::AskLastSeen { user } => {
                let Some(told) = answer(run, act) else { continue };
                let is_let =
                    friendships.may_ring(&act.user, user, told.index) && settings.lets_see(&act.user, user, told.index);
                checks.check(is_let == (told.message == "last_seen"), told.at, told.index, || match is_let {
                    true => format!("{} is not told when {user} was last there, whose setting lets", act.user),
                    false => format!("{} is told when {user} was last there, whose setting does not let", act.user),
                });
            }
            _ => {}
        }
    }
    checks
}

fn judge_rings(run: &Run, settings: &Settings, checks: &mut Checks) {
    for (id, call) in &run.calls.by_id {
        let (Some(caller), Some(callee)) = (&call.caller, &call.callee) else { continue };
        let rung = call.rings.iter().map(|ring| (ring.at, ring.index));
        let live = call.live.iter().map(|live| (live.at, live.index));
        for (at, index) in rung.chain(live).filter(|(_, index)| settings.has_chosen(callee, *index)) {
            checks.check(settings.lets_call(caller, callee, index), at, index, || {
                format!("call {id} of {caller} reaches {callee}, whose setting does not let {caller} call")
            });
        }
    }
}

/// Whether a try rang, whom it may.
fn judge_try(run: &Run, settings: &Settings, act: &Seen<UserAct>, callee: &UserName, checks: &mut Checks) {
    let is_its =
        |call: &&crate::run::Call| call.caller.as_ref() == Some(&act.user) && call.callee.as_ref() == Some(callee);
    let rings = run.calls.by_id.values().filter(is_its).filter_map(|call| call.rings.first());
    let rang =
        rings.filter(|ring| ring.index > act.index && ring.at <= act.at + ON_ITS_WAY).min_by_key(|ring| ring.index);
    let is_let = rang.is_none_or(|ring| settings.lets_call(&act.user, callee, ring.index));
    checks.check(is_let, act.at, act.index, || {
        format!("{} gets through to {callee}, whose setting does not let", act.user)
    });
}

fn answer<'a>(run: &Run<'a>, act: &Seen<'a, UserAct>) -> Option<Seen<'a, Signal>> {
    let told = run.events.signals.of(&act.device).filter(|told| told.index > act.index);
    let mut told = told.take_while(|told| told.at <= act.at + ON_ITS_WAY);
    told.find(|told| matches!(told.message.as_str(), "last_seen" | "refused")).copied()
}

#[cfg(test)]
mod tests {
    use crate::story::Story;
    use kernel::event::{Act, Audience, Fact, Setting};

    const NAME: &str = "settings_are_obeyed";

    fn chooses(story: &mut Story, setting: Setting) {
        story.fact(Fact::SettingChanged { by: "bob".into(), setting });
    }

    #[test]
    fn who_lets_nobody_call_is_not_rung() {
        let mut story = Story::new();
        chooses(story.befriend().at(2_000), Setting::Callers(Audience::Nobody));
        story.at(6_000).act("alice-phone", Act::Call { user: "bob".into(), video: true });
        assert_eq!(story.holds(NAME), 1);
        let mut story = Story::new();
        chooses(story.befriend().at(2_000), Setting::Callers(Audience::Nobody));
        story.ringing();
        story.fails_only(NAME);
    }

    #[test]
    fn close_friends_get_through_until_they_are_off_the_list() {
        for listed in [true, false] {
            let mut story = Story::new();
            chooses(story.befriend().at(2_000), Setting::Callers(Audience::CloseFriends));
            chooses(&mut story, Setting::CloseFriend { user: "alice".into(), listed: true });
            chooses(&mut story, Setting::CloseFriend { user: "alice".into(), listed });
            story.ringing();
            match listed {
                true => drop(story.holds(NAME)),
                false => drop(story.fails_only(NAME)),
            }
        }
    }

    fn asks(whom: Audience, answer: &str) -> Story {
        let mut story = Story::new();
        chooses(story.befriend().at(2_000), Setting::LastSeen(whom));
        story.at(3_000).act("alice-phone", Act::AskLastSeen { user: "bob".into() });
        story.at(3_050).signal("signaling", "alice-phone", answer, b"");
        story
    }

    #[test]
    fn when_somebody_was_last_there_is_told_to_whom_it_may_be() {
        assert_eq!(asks(Audience::Friends, "last_seen").holds(NAME), 1);
        assert_eq!(asks(Audience::Nobody, "refused").holds(NAME), 1);
        asks(Audience::Nobody, "last_seen").fails_only(NAME);
        asks(Audience::Friends, "refused").fails_only(NAME);
    }
}
