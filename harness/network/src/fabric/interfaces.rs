//! Nodes with several access networks. Each interface has its own addresses, NAT and links; the node's name is that of the
//! first one.

use super::{Fabric, NodePlan};
use crate::{error::FabricError, routing::NodeIndex};
use kernel::{ActorName, event, packet::Interface};
use std::net::IpAddr;

impl Fabric {
    /// Gives a node a further interface that is up: `plan` is the interface's, with a name of its own.
    ///
    /// # Errors
    /// As [`Fabric::add_node`].
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn add_interface(&mut self, node: &ActorName, plan: NodePlan) -> Result<(), FabricError> {
        let first = self.index_of(node);
        let index = self.admit(plan)?;
        self.nodes[index].name = node.clone();
        self.further.entry(first).or_default().push(index);
        Ok(())
    }

    /// Takes an interface down or up again, and logs it as `InterfaceChanged`. What is under way on its links is lost when
    /// it reaches the interface, or the end of its uplink, while that is down.
    ///
    /// # Panics
    /// When there is no such interface: a bug of the driver.
    pub fn set_interface(&mut self, interface: &ActorName, is_up: bool) {
        let index = self.index_of(interface);
        let node = &mut self.nodes[index];
        node.has_network = is_up;
        event!(InterfaceChanged { device: node.name.clone(), interface: interface.clone(), up: is_up });
    }

    /// The node that has an interface.
    ///
    /// # Panics
    /// When there is no such interface: a bug of the driver.
    pub fn owner(&self, interface: &ActorName) -> &ActorName {
        &self.nodes[self.index_of(interface)].name
    }

    /// The interfaces of a node that are up, in the order in which they were added.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn interfaces(&self, node: &ActorName) -> Vec<Interface> {
        let up = self.interfaces_of(self.index_of(node)).into_iter().filter(|index| self.nodes[*index].has_network);
        up.map(|index| Interface { addresses: self.routing.addresses(index) }).collect()
    }

    /// All interfaces of a node, the first one first.
    pub(super) fn interfaces_of(&self, first: NodeIndex) -> Vec<NodeIndex> {
        let further = self.further.get(&first).into_iter().flatten();
        std::iter::once(first).chain(further.copied()).collect()
    }

    /// The interface that has an address; the first one where none has it.
    pub(super) fn interface_for(&self, first: NodeIndex, address: IpAddr) -> NodeIndex {
        let Some(further) = self.further.get(&first) else { return first };
        further.iter().copied().find(|index| self.routing.owns(*index, address)).unwrap_or(first)
    }
}
