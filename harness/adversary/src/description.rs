//! A session description of the adversary's own making.

use kernel::{names::to_hex, random::Stream};

/// A valid offer (RFC 8866, RFC 8829) of Opus and, with `video`, VP8, with a fingerprint, ICE user fragment and password
/// drawn from the stream, and without candidates.
pub(crate) fn forged_offer(video: bool, stream: &mut Stream) -> String {
    let (user_fragment, password) = (to_hex(&stream.bytes::<4>()), to_hex(&stream.bytes::<16>()));
    let fingerprint = stream.bytes::<32>().map(|byte| format!("{byte:02X}")).join(":");
    let group = if video { "0 1" } else { "0" };
    let section = |media: &str, mid: u8, payload: u8, codec: &str, codec_lines: &str| {
        format!(
            "m={media} 9 UDP/TLS/RTP/SAVPF {payload}\r\n\
             c=IN IP4 0.0.0.0\r\n\
             a=rtcp:9 IN IP4 0.0.0.0\r\n\
             a=ice-ufrag:{user_fragment}\r\n\
             a=ice-pwd:{password}\r\n\
             a=ice-options:trickle\r\n\
             a=fingerprint:sha-256 {fingerprint}\r\n\
             a=setup:actpass\r\n\
             a=mid:{mid}\r\n\
             a=sendrecv\r\n\
             a=rtcp-mux\r\n\
             a=rtpmap:{payload} {codec}\r\n\
             {codec_lines}"
        )
    };
    let audio = section("audio", 0, 111, "opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1\r\n");
    let video_lines = "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:96 transport-cc\r\n";
    let video = if video { section("video", 1, 96, "VP8/90000", video_lines) } else { String::new() };
    format!(
        "v=0\r\n\
         o=- {} 2 IN IP4 0.0.0.0\r\n\
         s=-\r\n\
         t=0 0\r\n\
         a=group:BUNDLE {group}\r\n\
         a=msid-semantic: WMS *\r\n\
         {audio}{video}",
        stream.next_u64() >> 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{SimTime, random::SeedTree};
    use str0m::{RtcConfig, change::SdpOffer};

    #[test]
    fn a_client_without_checks_would_take_the_forged_offer() {
        for (video, sections) in [(true, 2), (false, 1)] {
            let text = forged_offer(video, &mut SeedTree::root(1).stream("offer"));
            let offer = SdpOffer::from_sdp_string(&text).unwrap();
            let mut rtc = RtcConfig::new().build(SimTime::ZERO.to_instant());
            let answer = rtc.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
            assert_eq!(answer.matches("a=sendrecv").count(), sections, "{answer}");
            assert_eq!(answer.matches("m=").count(), sections, "{answer}");
        }
    }

    #[test]
    fn each_offer_has_a_fingerprint_of_its_own_and_no_candidate() {
        let mut stream = SeedTree::root(1).stream("offer");
        let fingerprint = |text: &str| text.lines().find(|line| line.contains("fingerprint")).unwrap().to_owned();
        let (one, other) = (forged_offer(true, &mut stream), forged_offer(true, &mut stream));
        assert_ne!(fingerprint(&one), fingerprint(&other));
        assert!(!one.contains("candidate"));
    }
}
