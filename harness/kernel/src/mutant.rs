//! Planted bugs. `mutant!(V20)` marks the very line that prevents a known attack; a run that plants V20 takes the
//! other branch. Sentences, invariants and scenarios of each mutant are in the adversary's catalogue.

use serde::{Deserialize, Serialize};
use std::{cell::Cell, fmt, str::FromStr};

macro_rules! mutants {
    ($($id:ident)*) => {
        /// The id of a planted bug, as in the catalogue of known attacks.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "the catalogue in the adversary room documents each")]
        pub enum Mutant { $($id),* }

        impl Mutant {
            /// Every mutant, in order of its id.
            pub const ALL: &[Mutant] = &[$(Mutant::$id),*];

            /// The id as text.
            pub fn as_str(self) -> &'static str {
                match self { $(Mutant::$id => stringify!($id)),* }
            }
        }
    };
}

mutants! { V02 V03 V04 V05 V06 V07 V09 V10 V11 V12 V13 V14 V15 V16 V17 V20 V21 V22 V23 V34 V41 V42 V48 V52 V59 V68 V70 V71 V72 V73 V74 V75 V76 V77 V78 V79 V81 V82 V83 V84 V88 V92 V100 V101 V102 V103 V105 V107 V108 V109 V110 V111 V112 V113 V115 V116 V117 V118 V120 V121 V122 V124 V125 V126 V128 V129 V130 V132 V133 V135 V136 V137 V138 V150 V151 V152 V155 V156 V157 V158 V159 V160 V161 V162 V163 V164 V170 V171 V172 }

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.as_str() == text).ok_or_else(|| UnknownMutant(text.into()))
    }
}

/// The text names no mutant.
#[derive(Debug, thiserror::Error)]
#[error("no mutant is called {0}")]
pub struct UnknownMutant(String);

thread_local! { static PLANTED: Cell<u128> = const { Cell::new(0) } }

/// Plants exactly these bugs on this thread; an empty slice removes all.
pub fn plant(mutants: &[Mutant]) {
    PLANTED.set(mutants.iter().fold(0, |bits, mutant| bits | 1 << *mutant as u32));
}

/// Whether the bug is planted on this thread. Always false in a build without the feature `mutants`.
#[inline]
pub fn is_planted(mutant: Mutant) -> bool {
    cfg!(feature = "mutants") && PLANTED.get() & (1 << mutant as u32) != 0
}

/// True when the named bug is planted: `if !mutant!(V20) { check()? }`.
#[macro_export]
macro_rules! mutant {
    ($id:ident) => {
        $crate::mutant::is_planted($crate::mutant::Mutant::$id)
    };
}
