//! A user of the workload with a phone and one laptop after the other, and what they ask of the server for their account.

use kernel::{
    ActorName, UserName,
    random::{SeedTree, Stream},
};
use protocol::{ClientMessage, DeviceChange, DeviceIdentity, DeviceKeys, DeviceList, PROTOCOL_VERSION, RequestId};

/// Something that is asked of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// The phone makes the account, or signs in again with its password.
    SignUp,
    /// The laptop signs in, a new one after the last was removed.
    SignInLaptop,
    /// The phone confirms the laptop.
    ConfirmLaptop,
    /// The phone takes the laptop out of the list.
    RemoveLaptop,
    /// The phone logs the laptop out.
    EndLaptop,
    /// The laptop logs the phone out.
    EndPhone,
    /// The phone changes the password, which logs the laptop out.
    ChangePassword,
}

impl Wish {
    /// One request in four is about the own account.
    pub(crate) fn drawn(dice: &mut Stream) -> Option<Wish> {
        Some(match dice.below(64) {
            0..=1 => Wish::SignUp,
            2..=6 => Wish::SignInLaptop,
            7..=9 => Wish::ConfirmLaptop,
            10 => Wish::RemoveLaptop,
            11..=12 => Wish::EndLaptop,
            13 => Wish::EndPhone,
            14..=15 => Wish::ChangePassword,
            _ => return None,
        })
    }
}

/// The user as the user's own devices know things.
pub(crate) struct Household {
    user: UserName,
    list: DeviceList,
    /// How many laptops there were before.
    laptops: u32,
    /// How often the password was changed.
    changes: u32,
}

impl Household {
    /// A user who has no account as yet.
    pub(crate) fn new(user: &UserName) -> Household {
        let phone = keys(user, &phone(user));
        let list = DeviceList::begin(&phone, &identity(&phone.device));
        Household { user: user.clone(), list, laptops: 0, changes: 0 }
    }

    /// What is said for a wish, and by which device; none where there is nothing to wish for.
    pub(crate) fn message(&self, wish: Wish, request: RequestId) -> Option<(ActorName, ClientMessage)> {
        let (phone, laptop, user) = (phone(&self.user), self.laptop(), self.user.clone());
        let (version, password) = (PROTOCOL_VERSION, self.password(self.changes));
        let is_listed = self.list.contains(&laptop);
        Some(match wish {
            Wish::SignUp => {
                let (keys, first) = (keys(&user, &phone), Box::new(self.list.links()[0].clone()));
                (phone, ClientMessage::SignUp { request, version, password, keys, first })
            }
            Wish::SignInLaptop => {
                let keys = keys(&user, &laptop);
                let consent = keys.consent(&identity(&laptop));
                (laptop, ClientMessage::SignIn { request, version, password, keys, consent })
            }
            Wish::ConfirmLaptop | Wish::RemoveLaptop => {
                let link = Box::new(self.link(wish).filter(|_| is_listed == (wish == Wish::RemoveLaptop))?);
                (phone, ClientMessage::ExtendDevices { request, link })
            }
            Wish::EndLaptop => (phone, ClientMessage::EndOtherSessions { request, user }),
            Wish::EndPhone if is_listed => (laptop, ClientMessage::EndOtherSessions { request, user }),
            Wish::EndPhone => return None,
            Wish::ChangePassword => {
                let new = self.password(self.changes + 1);
                (phone, ClientMessage::ChangePassword { request, user, old: password, new })
            }
        })
    }

    /// The server did what was wished.
    pub(crate) fn done(&mut self, wish: Wish) {
        if let Some(link) = self.link(wish) {
            self.list.push(link).expect("the server took the link");
        }
        match wish {
            Wish::RemoveLaptop => self.laptops += 1,
            Wish::ChangePassword => self.changes += 1,
            _ => {}
        }
    }

    fn link(&self, wish: Wish) -> Option<protocol::DeviceLink> {
        let (phone, laptop) = (phone(&self.user), self.laptop());
        let change = match wish {
            Wish::ConfirmLaptop => {
                let keys = keys(&self.user, &laptop);
                let consent = keys.consent(&identity(&laptop));
                DeviceChange::Add { keys, consent }
            }
            Wish::RemoveLaptop => DeviceChange::Remove { device: laptop },
            _ => return None,
        };
        Some(self.list.sign(change, &phone, &identity(&phone)))
    }

    fn laptop(&self) -> ActorName {
        format!("{}-laptop-{}", self.user, self.laptops).into()
    }

    fn password(&self, changes: u32) -> String {
        format!("the long password of {}, number {changes}", self.user)
    }
}

fn phone(user: &UserName) -> ActorName {
    format!("{user}-phone").into()
}

fn identity(device: &ActorName) -> DeviceIdentity {
    DeviceIdentity::generate(&mut SeedTree::root(1).stream(device.as_str()))
}

fn keys(user: &UserName, device: &ActorName) -> DeviceKeys {
    let (signing, sealing) = identity(device).public();
    DeviceKeys { user: user.clone(), device: device.clone(), signing, sealing }
}
