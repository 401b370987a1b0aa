//! Runs of small worlds from outside: what the stage, its clock and its people promise to any stack of actors.

mod puppets;
mod village;

mod actors_that_fail;
mod changing_links;
mod exact_times;
mod faults;
mod planted_bugs;
mod progress;
mod reactions;
mod same_seed_same_bytes;
mod set_up;
mod stores_and_relays;
mod stray_draws;
mod time_stands_still;
mod views_for_the_oracle;
