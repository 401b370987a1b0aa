//! A made-up call, close to a real one: two people, friends at 1 s, ringing at 6 s, live at 8 s, an uplink that narrows
//! at 12 s, a freeze, the end at 18 s. What the renderers are shown to.

mod events;

use events::{ALICE, BOB, address, link_plan};
use kernel::{
    BitRate, Log, Micros, SimTime,
    artifact::Picture,
    event::Act,
    plan::{
        AccessPlan, DeviceClass, Expectation, Firewall, MediaPlan, NatPlan, Participant, Plan, ServerPlan, Step,
        Threshold, VideoCodec, When,
    },
    random::Draws,
};
use oracle::{
    Direction, Finding, FlowCourse, Histogram, InvariantReport, InvariantVerdict, Judgement, LinkCourse, Metric,
    ThresholdReport, Verdict, Violation,
};
use reports::{Run, RunFacts};

/// Everything that a run borrows.
pub(crate) struct Sample {
    pub(crate) log: Log,
    pub(crate) judgement: Judgement,
    pub(crate) facts: RunFacts,
}

impl Sample {
    pub(crate) fn run(&self) -> Run<'_> {
        Run { log: &self.log, judgement: &self.judgement, facts: &self.facts }
    }
}

/// A call that held everything.
pub(crate) fn held() -> Sample {
    let plan = plan();
    let (log, histograms) = events::happen(&plan);
    let facts = RunFacts {
        scenario_path: "scenarios/call/first-call.toml".into(),
        config_hash: "4f1d0c".repeat(10),
        commit: "0123456789abcdef0123456789abcdef01234567".into(),
        environment: [("gstreamer", "1.22.0"), ("libvpx", "1.12.0"), ("opus", "1.3.1"), ("codec self-test", "a1b2c3")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        wall_ms: 4_870,
        simulated: SimTime(20_000_000),
        reproduce: "cargo xtask simulate first-call --seed 1".into(),
        draws: Draws { count: 812, digest: [0x5a; 32], strays: Vec::new() },
        pictures: (0..10).map(picture).collect(),
        comparison: None,
        page: None,
        artefacts: Vec::new(),
    };
    Sample { log, judgement: judgement(plan, histograms), facts }
}

/// The same call with a broken promise, an exceeded threshold, and names that try to be markup.
pub(crate) fn broken() -> Sample {
    let mut sample = held();
    let judgement = &mut sample.judgement;
    judgement.verdict = Verdict::Failed;
    judgement.reasons =
        vec!["invariant only_friends_ring failed".into(), "threshold glass_to_glass_us_p95 failed".into()];
    let first = &mut judgement.invariants[0];
    first.verdict = InvariantVerdict::Failed;
    first.violations = 1;
    first.first_violation = Some(Violation {
        at: SimTime(6_140_000),
        record: 57,
        message: "<script>alert(1)</script> | rings bob-laptop, but they are not friends".into(),
    });
    judgement.thresholds[0].holds = false;
    judgement.thresholds[0].measured = Some(312_000);
    judgement.findings.insert(
        0,
        Finding {
            severity: 0,
            sentence: "bob-laptop rang for a stranger".into(),
            from: SimTime(6_140_000),
            until: SimTime(6_140_000),
        },
    );
    sample
}

/// A link that two flows fill for two seconds.
fn course() -> LinkCourse {
    let samples = |of: fn(u64) -> u64| (0..10).map(of).collect::<Vec<u64>>();
    LinkCourse {
        link: "bottleneck/up".into(),
        at: samples(|n| 8_000_000 + n * 200_000).into_iter().map(SimTime).collect(),
        capacity_bps: vec![Some(1_000_000); 10],
        carried_bps: samples(|n| 900_000 + n * 10_000),
        queue_us_mean: samples(|n| n * 4_000).into_iter().map(Some).collect(),
        queue_us_max: samples(|n| n * 9_050).into_iter().map(Some).collect(),
        dropped: samples(|n| n / 8),
        marked: samples(|n| n / 9),
        flows: vec![
            FlowCourse { name: "alice-phone>bob-laptop".into(), rate_bps: samples(|n| 500_000 + n * 9_000) },
            FlowCourse { name: "traffic/upload".into(), rate_bps: samples(|n| 400_000 - n * 9_000) },
        ],
    }
}

fn judgement(plan: Plan, histograms: Vec<Histogram>) -> Judgement {
    let held = |id: &str, name: &str, truth: &str, checks| InvariantReport {
        id: id.into(),
        name: name.into(),
        truth: truth.into(),
        checks,
        verdict: if checks == 0 { InvariantVerdict::NotExercised } else { InvariantVerdict::Held },
        violations: 0,
        first_violation: None,
    };
    let metric = |name: &str, value, direction| Metric { name: name.into(), value, direction };
    use Direction::{Higher, Lower, Neutral};
    let mut metrics = vec![
        metric("setup_us", 2_031_400, Lower),
        metric("freeze_count", 1, Lower),
        metric("freeze_total_us", 866_658, Lower),
        metric("harmonic_fps_milli", 28_412, Higher),
        metric("psnr_y_mdb_p5", 36_512, Higher),
        metric("psnr_y_mdb_p50", 37_940, Higher),
        metric("ssim_y_ppm_p5", 962_113, Higher),
        metric("video_sent_bps", 1_072_000, Neutral),
        metric("loss_ppm", 9_870, Lower),
    ];
    for scope in ["", "alice-phone>bob-laptop/", "bob-laptop>alice-phone/"] {
        for (base, values) in [
            ("glass_to_glass_us", [88_000, 138_000, 159_000, 161_200]),
            ("mouth_to_ear_us", [98_100, 131_000, 134_800, 136_000]),
        ] {
            for (statistic, value) in ["p50", "p95", "p99", "max"].into_iter().zip(values) {
                metrics.push(metric(&format!("{scope}{base}_{statistic}"), value, Lower));
            }
        }
    }
    Judgement {
        verdict: Verdict::Passed,
        reasons: Vec::new(),
        invariants: vec![
            held("FG-1", "only_friends_ring", "A ring reaches a device only from a friend who is not blocked.", 1),
            held(
                "CON-1/CON-2",
                "nothing_before_accept",
                "Nothing is captured or sent before the own user's consent.",
                1_804,
            ),
            held("CNF-1", "media_unreadable", "No view but the ends' own holds a readable piece of a frame.", 3_600),
            held(
                "INT-3",
                "frames_come_from_their_sender",
                "Every decoded and rendered frame is one that its tile's owner encoded.",
                1_162,
            ),
            held("KH-1", "no_nonce_twice", "No key seals two frames with one nonce.", 1_600),
            held("SM-10", "every_call_ends", "Every call is live or over, or names what it waits for.", 2),
            held(
                "PRV-1",
                "relay_only_hides_addresses",
                "Peers of a relay-only user see none of the user's addresses.",
                0,
            ),
        ],
        thresholds: vec![
            ThresholdReport {
                metric: "glass_to_glass_us_p95".into(),
                at_most: Some(200_000),
                at_least: None,
                measured: Some(138_000),
                holds: true,
                gap: None,
            },
            ThresholdReport {
                metric: "psnr_y_mdb_p5".into(),
                at_most: None,
                at_least: Some(30_000),
                measured: Some(36_512),
                holds: true,
                gap: None,
            },
        ],
        metrics,
        findings: vec![Finding {
            severity: 1,
            sentence: "bob-laptop froze 867 ms: a reference was lost on alice-phone/up".into(),
            from: SimTime(12_480_000),
            until: SimTime(13_346_000),
        }],
        histograms,
        courses: vec![course()],
        plan,
    }
}

fn plan() -> Plan {
    let participant = |user: &str, device: &str, class| Participant {
        user: user.into(),
        device: device.into(),
        device_class: class,
        address: address(device, false),
        access: AccessPlan {
            preset: "home-wifi".into(),
            up: link_plan(4_000),
            down: link_plan(4_000),
            nat: Some(NatPlan::PORT_RESTRICTED),
            public_address: address(device, true),
            carrier: None,
            firewall: Firewall::Open,
            via: Vec::new(),
            ipv6: None,
        },
        interfaces: Vec::new(),
        relay_only: false,
        read_receipts: true,
        call_waiting: false,
        imitates: None,
        signs_in: None,
        priority: 1,
        photograph_bytes: None,
    };
    let server = |name: &str| ServerPlan {
        name: name.into(),
        address: address(name, true),
        address_v6: None,
        up: link_plan(1_000_000),
        down: link_plan(1_000_000),
    };
    Plan {
        scenario: "first-call".into(),
        title: "Alice calls Bob from home; both are friends.".into(),
        seed: 1,
        duration: Micros::from_secs(20),
        timeline_start: Plan::TIMELINE_START,
        participants: vec![
            participant("alice", ALICE, DeviceClass::Flagship),
            participant("bob", BOB, DeviceClass::Laptop),
        ],
        signaling: server("signaling"),
        cores: kernel::plan::Cores::default(),
        relays: vec![server("relay")],
        friends: vec![("alice".into(), "bob".into())],
        timeline: vec![Step {
            user: "alice".into(),
            device: None,
            when: When::At { at: Micros::from_secs(1) },
            act: Act::Call { user: "bob".into(), video: true },
        }],
        core_links: Vec::new(),
        traces: Vec::new(),
        link_schedule: Vec::new(),
        nat_schedule: Vec::new(),
        trouble: kernel::trouble::Trouble::default(),
        traffic: Vec::new(),
        adversary: Vec::new(),
        media: MediaPlan {
            width: 640,
            height: 360,
            fps: 30,
            video_codec: VideoCodec::Vp8,
            video_max: BitRate::from_kbps(2_500),
            video_min: BitRate::from_kbps(100),
            video_start: BitRate::from_kbps(600),
            audio_rate: BitRate::from_kbps(32),
            quality_every: 30,
        },
        thresholds: vec![Threshold {
            metric: "glass_to_glass_us_p95".into(),
            at_most: Some(200_000),
            at_least: None,
            gap: None,
        }],
        exercises: vec!["only_friends_ring".into(), "media_unreadable".into()],
        expect: Expectation::Holds,
        mutant: None,
        paired_with: None,
        schedule: None,
    }
}

/// A disc over a gradient; the received one is coarser.
fn picture(second: u32) -> Picture {
    let (width, height) = (640, 360);
    let plane = |coarse: i32| {
        let luma = (0..height * width).map(|i| {
            let (x, y) = (i as i32 % width as i32 / coarse * coarse, i as i32 / width as i32 / coarse * coarse);
            let (dx, dy) = (x - 120 - 40 * second as i32, y - 180);
            if dx * dx + dy * dy < 6_400 { 205 } else { (40 + x / 6 + y / 8) as u8 }
        });
        let chroma = |value: i32| (0..180 * 320).map(move |i| (value + (i % 320) / 8) as u8);
        luma.chain(chroma(110)).chain(chroma(100)).collect::<Vec<u8>>()
    };
    let (device, sender) = if second.is_multiple_of(2) { (BOB, ALICE) } else { (ALICE, BOB) };
    Picture {
        at: SimTime(8_150_000 + u64::from(second) * 1_000_000),
        device: device.into(),
        sender: sender.into(),
        frame: second * 30,
        width,
        height,
        sent: plane(1),
        received: plane(6),
    }
}
