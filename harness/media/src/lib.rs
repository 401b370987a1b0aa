//! Camera, microphone, codecs through GStreamer, frame marks, playout, probes.
