//! Writes the reports of the made-up calls of the tests into a folder, to look at them:
//! `cargo run -p callproof-reports --example sample_report -- /tmp/sample`.

#[path = "../tests/renderers/sample/mod.rs"]
mod sample;

use reports::{Baseline, RunReport, Suite, bless, console, write, write_suite};
use std::{env, error::Error, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(env::args().nth(1).ok_or("which folder?")?);
    let mut held = sample::held();
    bless(&dir.join("baselines"), &held.run(), "an example")?;
    held.judgement.metrics[0].value += 20_000;
    let baseline = Baseline::load(&dir.join("baselines"), "first-call")?.ok_or("it was just written")?;
    held.facts.comparison = Some(baseline.compare(&held.run()));
    write(&dir, &held.run())?;
    let mut broken = sample::broken();
    broken.judgement.plan.seed = 2;
    write(&dir, &broken.run())?;
    let suite = Suite { runs: vec![RunReport::new(&held.run(), &[]), RunReport::new(&broken.run(), &[])] };
    write_suite(&dir, &suite)?;
    anstream::println!("{}\n{}{}", console(&broken.run()), suite.table(), suite.sentence());
    Ok(())
}
