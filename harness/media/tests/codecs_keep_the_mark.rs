//! Round trips through the real codecs: what is captured is recognized after decoding, and the same input gives the
//! same bytes.

use kernel::{BitRate, event::Mark};
use media::{
    OpusDecoder, OpusEncoder, PictureSize, Scene, Voice, Vp8Decoder, Vp8Encoder,
    codec::{EncodeBlock, EncodePicture, OpusInput, OpusSettings, Vp8Settings},
    mark, probe,
};
use std::sync::Arc;

fn encoder(size: PictureSize, kbps: u64) -> Vp8Encoder {
    media::initialize().unwrap();
    Vp8Encoder::new(Vp8Settings::real_time(size, 30, BitRate::from_kbps(kbps))).unwrap()
}

fn picture(scene: &Arc<Scene>, frame: u32, kbps: u64, key: bool) -> EncodePicture {
    EncodePicture { scene: scene.clone(), frame, target: BitRate::from_kbps(kbps), key }
}

/// How many of 300 marks are read back, and the bit rate that the encoder came to.
fn marks_read_back(width: u32, height: u32, kbps: u64) -> (usize, u64) {
    let size = PictureSize::new(width, height).unwrap();
    let (mut encoder, mut decoder) = (encoder(size, kbps), Vp8Decoder::new(size, 30).unwrap());
    let scene = Scene::shared(size, 77);
    let (mut read, mut bytes) = (0, 0);
    for frame in 0..300 {
        let encoded = encoder.encode(&picture(&scene, frame, kbps, false)).unwrap();
        bytes += encoded.bytes.len() as u64;
        let decoded = decoder.decode(encoded.bytes).unwrap();
        match mark::read(decoded.luma(), size) {
            Some(mark) => {
                assert_eq!(mark, Mark { sender: 77, frame }, "a mark must never be wrong");
                read += 1;
            }
            None => println!("no mark in picture {frame}"),
        }
    }
    (read, bytes * 8 / 10)
}

#[test]
fn all_marks_survive_50_kbps_at_180p() {
    assert_eq!(marks_read_back(320, 180, 50).0, 300);
}

#[test]
fn all_marks_survive_at_360p_and_the_rate_is_kept() {
    for kbps in [150, 600, 1_500] {
        let (read, rate) = marks_read_back(640, 360, kbps);
        assert_eq!(read, 300, "at {kbps} kbit/s");
        assert!(rate <= kbps * 1_250, "{rate} bit/s instead of {kbps} kbit/s");
    }
}

#[test]
fn two_encoders_give_the_same_bytes() {
    let size = PictureSize::new(640, 360).unwrap();
    let (mut one, mut other) = (encoder(size, 600), encoder(size, 600));
    let scene = Scene::shared(size, 0);
    for frame in 0..60 {
        let input = picture(&scene, frame, if frame < 30 { 600 } else { 200 }, frame == 40);
        assert_eq!(one.encode(&input).unwrap(), other.encode(&input).unwrap(), "frame {frame}");
    }
}

#[test]
fn a_key_frame_comes_when_it_is_asked_for_and_never_else() {
    let size = PictureSize::new(320, 180).unwrap();
    let mut encoder = encoder(size, 300);
    let scene = Scene::shared(size, 0);
    let keys: Vec<u32> =
        (0..90).filter(|&n| encoder.encode(&picture(&scene, n, 300, [30, 31, 60].contains(&n))).unwrap().key).collect();
    assert_eq!(keys, [0, 30, 31, 60]);
}

#[test]
fn another_bit_rate_takes_effect() {
    let size = PictureSize::new(640, 360).unwrap();
    let mut encoder = encoder(size, 1_000);
    let scene = Scene::shared(size, 0);
    let mut second = |first: u32, kbps| {
        (first..first + 90)
            .map(|n| encoder.encode(&picture(&scene, n, kbps, false)).unwrap().bytes.len())
            .skip(30)
            .sum::<usize>()
    };
    let (fast, slow) = (second(0, 1_000), second(90, 200));
    assert!(slow * 3 < fast, "{slow} bytes after {fast}");
}

#[test]
fn more_bits_give_a_better_picture() {
    let size = PictureSize::new(640, 360).unwrap();
    let scene = Scene::shared(size, 4);
    let quality = |kbps| {
        let (mut encoder, mut decoder) = (encoder(size, kbps), Vp8Decoder::new(size, 30).unwrap());
        let mut captured = vec![0; size.pixels()];
        let likeness = |frame| {
            let decoded = decoder.decode(encoder.encode(&picture(&scene, frame, kbps, false)).unwrap().bytes).unwrap();
            scene.fill_luma(frame, &mut captured);
            probe::compare(&captured, decoded.luma(), size)
        };
        (0..60).map(likeness).last().unwrap()
    };
    let (poor, rich) = (quality(150), quality(1_500));
    println!("150 kbit/s: {} mdB {} ppm", poor.psnr_y_mdb(), poor.ssim_y_ppm());
    println!("1500 kbit/s: {} mdB {} ppm", rich.psnr_y_mdb(), rich.ssim_y_ppm());
    assert!(rich.psnr_y_mdb() > poor.psnr_y_mdb() + 2_000);
    assert!(rich.ssim_y_ppm() > poor.ssim_y_ppm());
    assert!(rich.psnr_y_mdb() > 33_000);
}

/// Truncates, flips or replaces a frame.
fn damaged(frame: &[u8], round: u32) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let place = (round as usize * 7_919) % frame.len().max(1);
    match round % 4 {
        0 => frame.truncate(place),
        1 => frame[place] ^= 1 << (round % 8),
        2 => frame.iter_mut().skip(place).for_each(|byte| *byte = byte.wrapping_mul(73).wrapping_add(round as u8)),
        _ => frame = (0..place).map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 13) as u8).collect(),
    }
    frame
}

#[test]
fn damaged_frames_never_crash_and_a_key_frame_heals() {
    let size = PictureSize::new(320, 180).unwrap();
    let (mut encoder, mut decoder) = (encoder(size, 300), Vp8Decoder::new(size, 30).unwrap());
    let scene = Scene::shared(size, 0);
    for frame in 0..300 {
        let key = frame % 60 == 59;
        let encoded = encoder.encode(&picture(&scene, frame, 300, key)).unwrap();
        if !key {
            decoder.decode(damaged(&encoded.bytes, frame));
            continue;
        }
        let decoded = decoder.decode(encoded.bytes).expect("a key frame is decoded after any damage");
        assert_eq!(mark::read(decoded.luma(), size), Some(Mark { sender: 0, frame }));
    }
    decoder.decode(Vec::new());
}

#[test]
fn sound_comes_back_and_lost_packets_are_concealed() {
    media::initialize().unwrap();
    let target = BitRate::from_kbps(32);
    let mut encoder = OpusEncoder::new(OpusSettings::voice(target)).unwrap();
    let mut decoder = OpusDecoder::new().unwrap();
    let voice = Voice::shared(3);
    let loudness = |samples: &[i16]| samples.iter().map(|&s| u64::from(s.unsigned_abs())).sum::<u64>();
    let (mut heard, mut bytes) = (0, 0);
    for block in 0..200 {
        let packet = encoder.encode(EncodeBlock { voice: voice.clone(), block, target }).unwrap();
        bytes += packet.len();
        let lost = block % 10 == 9;
        let samples = decoder.decode(if lost { OpusInput::Missing } else { OpusInput::Packet(packet) });
        assert!(samples.len() == 960 || block == 0, "block {block} has {} samples", samples.len());
        heard += loudness(&samples);
    }
    let said: u64 = (0..200)
        .flat_map(|block| {
            voice.block(block).chunks_exact(2).map(|s| u64::from(i16::from_le_bytes([s[0], s[1]]).unsigned_abs()))
        })
        .sum();
    assert!((said / 2..said * 2).contains(&heard), "{heard} heard of {said} said");
    assert!((14_000..=18_000).contains(&bytes), "{bytes} bytes in 4 s at 32 kbit/s");
}

#[test]
fn damaged_packets_never_crash_the_opus_decoder() {
    media::initialize().unwrap();
    let target = BitRate::from_kbps(32);
    let mut encoder = OpusEncoder::new(OpusSettings::voice(target)).unwrap();
    let mut decoder = OpusDecoder::new().unwrap();
    for block in 0..300 {
        let packet = encoder.encode(EncodeBlock { voice: Voice::shared(0), block, target }).unwrap();
        decoder.decode(OpusInput::Packet(damaged(&packet, block)));
    }
    let packet = encoder.encode(EncodeBlock { voice: Voice::shared(0), block: 300, target }).unwrap();
    assert_eq!(decoder.decode(OpusInput::Packet(packet)).len(), 960);
}
