//! `--set`, `--network` and `--codec` change the scenario before it is judged.

mod vocabulary;

use kernel::{
    plan::{NatPlan, VideoCodec, When},
    time::{BitRate, Micros},
};
use scenarios::{Overrides, Scenario, find, load};
use vocabulary::vocabulary;

fn first_call(set: &[&str], network: Option<&str>) -> Scenario {
    let set = set.iter().map(|text| text.parse().unwrap()).collect();
    let overrides = Overrides { set, network: network.map(str::to_owned), codec: None };
    let loaded = load(&find("first-call").unwrap()[0], &vocabulary(), &overrides);
    loaded.unwrap_or_else(|error| panic!("{error}")).remove(0)
}

#[test]
fn a_preset_that_is_changed_in_one_value_keeps_the_others() {
    let before = first_call(&[], None).plan(1);
    let after = first_call(&["participant.alice.network.up.propagation=35ms"], None).plan(1);
    let (old, new) = (&before.participants[0].access, &after.participants[0].access);
    assert_eq!(new.up.propagation, Micros::from_millis(35));
    assert_eq!((&new.up.rate, &new.down, &new.nat), (&old.up.rate, &old.down, &old.nat));
    assert_eq!(after.participants[1], before.participants[1]);
}

#[test]
fn values_need_no_quotes_and_make_new_tables() {
    let plan =
        first_call(&["duration=7s", "media.fps=15", "signaling.up.propagation=50ms", "timeline.1.after_ring=3s"], None);
    let plan = plan.plan(1);
    assert_eq!((plan.duration, plan.media.fps), (Micros::from_secs(7), 15));
    assert_eq!(plan.signaling.up.propagation, Micros::from_millis(50));
    assert_eq!(plan.timeline[1].when, When::AfterRing { delay: Micros::from_secs(3) });
}

#[test]
fn everybody_moves_to_another_network_and_keeps_the_nat_that_the_file_names() {
    let plan = first_call(&["participant.bob.nat=symmetric"], Some("lan")).plan(1);
    assert!(plan.participants.iter().all(|one| one.access.up.rate == Some(BitRate::from_mbps(1_000))));
    assert!(plan.participants.iter().all(|one| one.access.preset == "lan"));
    assert_eq!(plan.participants[1].access.nat, Some(NatPlan::SYMMETRIC));
}

#[test]
fn the_modelled_codec_has_no_pictures_to_be_measured() {
    let modelled = Overrides { codec: Some("modelled".into()), ..Overrides::default() };
    let load = |name: &str| load(&find(name).unwrap()[0], &vocabulary(), &modelled);
    let plan = load("same-lan").unwrap().remove(0).plan(1);
    assert_eq!((plan.media.video_codec, plan.media.quality_every), (VideoCodec::Modelled, 0));
    // Its threshold on PSNR would otherwise pass or fail without anything measured.
    let refused = format!("{:?}", miette::Report::new(load("first-call").unwrap_err()));
    assert!(refused.contains("`psnr_y_mdb_p5` is not measured"), "{refused}");
}

#[test]
fn addresses_are_unique_and_a_home_shares_its_public_one() {
    let load = |name: &str| load(&find(name).unwrap()[0], &vocabulary(), &Overrides::default()).unwrap()[0].plan(1);
    let apart = load("first-call");
    let together = load("same-lan");
    let public = |plan: &kernel::Plan| [0, 1].map(|i: usize| plan.participants[i].access.public_address);
    assert_ne!(public(&apart)[0], public(&apart)[1]);
    assert_eq!(public(&together)[0], public(&together)[1]);
    assert_ne!(together.participants[0].address, together.participants[1].address);
}
