//! What is sent: the defaults, and rates that fit each other.

use crate::{
    file::{Media, VideoCodec as Codec},
    located::{Located, Span},
    problem::Problems,
    scalar::Rate,
};
use kernel::{
    plan::{MediaPlan, VideoCodec},
    time::BitRate,
};

/// The media plan of a file.
pub(super) fn resolve(media: &Media, problems: &mut Problems) -> MediaPlan {
    let rate = |given: &Option<Located<Rate>>, kbps| given.as_ref().map_or(BitRate::from_kbps(kbps), |rate| rate.0);
    let plan = MediaPlan {
        width: media.width.unwrap_or(640),
        height: media.height.unwrap_or(360),
        fps: media.fps.unwrap_or(30),
        video_codec: match media.video_codec.unwrap_or(Codec::Vp8) {
            Codec::Vp8 => VideoCodec::Vp8,
            Codec::Modelled => VideoCodec::Modelled,
        },
        video_max: rate(&media.video_max, 1_500),
        video_min: rate(&media.video_min, 100),
        video_start: rate(&media.video_start, 500),
        audio_rate: rate(&media.audio_rate, 32),
        quality_every: if has_pictures(media) { media.quality_every.unwrap_or(10) } else { 0 },
    };
    check(media, &plan, problems);
    plan
}

/// Whether the codec decodes to pictures, which have a quality.
pub(super) fn has_pictures(media: &Media) -> bool {
    match media.video_codec.unwrap_or(Codec::Vp8) {
        Codec::Vp8 => true,
        Codec::Modelled => false,
    }
}

fn check(media: &Media, plan: &MediaPlan, problems: &mut Problems) {
    let opus = BitRate::from_kbps(6)..=BitRate::from_kbps(510);
    if let Some(rate) = media.audio_rate.as_ref().filter(|rate| !opus.contains(&rate.0)) {
        problems.note(rate.span(), "Opus works from 6 to 510 kbit/s", "outside of that");
    }
    let ordered = plan.video_min <= plan.video_start && plan.video_start <= plan.video_max;
    let spans = [&media.video_start, &media.video_max, &media.video_min];
    let place: Option<Span> = spans.into_iter().flatten().map(Located::span).next();
    if let Some(place) = place.filter(|_| !ordered) {
        let message = "the video rates are not in order: video_min, video_start, video_max";
        let label = format!("{}, {}, {}", plan.video_min, plan.video_start, plan.video_max);
        problems.note(place, message, label);
    }
}
