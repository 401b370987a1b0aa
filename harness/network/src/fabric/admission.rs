//! What joins the network: traces, links, nodes.

use super::{Fabric, Node, NodePlan, Ways, link_names};
use crate::{error::FabricError, link::Link, meter::Meter, pace::Recording, routing::NodeIndex, validate::validate};
use kernel::{
    ActorName, LinkName, event,
    plan::{CoreLink, LinkPlan, RateTrace},
    time::SimTime,
};
use std::sync::Arc;

impl Fabric {
    /// Gives a trace that links may follow from now on, by its name. Its time zero is at `origin`, before which it runs too.
    pub fn add_trace(&mut self, trace: RateTrace, origin: SimTime) {
        self.traces.insert(trace.name.clone(), Recording { trace: Arc::new(trace), origin });
    }

    /// Adds a link between two points of the core, which nodes may go over, and logs it as `LinkChanged`. It tells what it
    /// does as `LinkSampled`.
    ///
    /// # Errors
    /// When its name is taken, a parameter is out of range, or a trace unknown.
    pub fn add_core_link(&mut self, link: CoreLink) -> Result<(), FabricError> {
        let ways = self.add_ways(&link.name, link.up, link.down)?;
        for index in [ways.up, ways.down] {
            self.links[index].meter = Some(Meter::default());
        }
        self.core_links.insert(link.name, ways);
        Ok(())
    }

    /// Adds a node that is up, and logs its links as `LinkChanged`.
    ///
    /// # Errors
    /// When a name or address is taken, a link's parameter is out of range, a trace or core link unknown, or the node does
    /// not fit its home's NAT or core links.
    pub fn add_node(&mut self, plan: NodePlan) -> Result<(), FabricError> {
        self.admit(plan).map(drop)
    }

    pub(super) fn admit(&mut self, plan: NodePlan) -> Result<NodeIndex, FabricError> {
        self.check_node(&plan)?;
        let via = self.ways_of(&plan)?;
        if let Some(mate) = self.routing.holder(plan.public_address)
            && self.nodes[mate].via != via
            && plan.nat.is_some()
        {
            return Err(FabricError::MixedVia { node: plan.name, public_address: plan.public_address });
        }
        self.routing.admit(&plan, &self.seeds)?;
        self.attach(plan, via)
    }

    /// Whether the name is free and the links are possible.
    fn check_node(&self, plan: &NodePlan) -> Result<(), FabricError> {
        if self.names.contains_key(&plan.name) {
            return Err(FabricError::NameTaken(plan.name.clone()));
        }
        let (up, down) = link_names(plan.name.as_str());
        self.check(&up, &plan.up)?;
        self.check(&down, &plan.down)
    }

    /// The core links that a node goes over.
    fn ways_of(&self, plan: &NodePlan) -> Result<Vec<Ways>, FabricError> {
        let unknown = |link: &String| FabricError::UnknownVia { node: plan.name.clone(), link: link.clone() };
        plan.via.iter().map(|link| self.core_links.get(link).copied().ok_or_else(|| unknown(link))).collect()
    }

    /// Gives a node its links.
    fn attach(&mut self, plan: NodePlan, via: Vec<Ways>) -> Result<NodeIndex, FabricError> {
        let index = self.nodes.len();
        let is_home = plan.nat.is_some();
        let access = self.add_ways(plan.name.as_str(), plan.up, plan.down)?;
        self.names.insert(plan.name.clone(), index);
        let (name, interface) = (plan.name.clone(), plan.name);
        self.nodes.push(Node { name, interface, is_home, is_up: true, has_network: true, access, via });
        Ok(index)
    }

    /// Adds a node that only `gateway` reaches, past the core: a service in the network in which the gateway stands. What
    /// it sends goes over the core.
    ///
    /// # Errors
    /// When a name is taken or a link's parameter is out of range.
    ///
    /// # Panics
    /// When there is no such gateway: a bug of the driver.
    pub fn add_internal(&mut self, plan: NodePlan, gateway: &ActorName) -> Result<(), FabricError> {
        let gateway = self.index_of(gateway);
        self.check_node(&plan)?;
        let via = self.ways_of(&plan)?;
        let address = plan.address;
        self.routing.admit_hidden(address);
        let index = self.attach(plan, via)?;
        self.internal.insert((gateway, address), index);
        Ok(())
    }

    /// From now on the access network of this node lets any source address through, against RFC 2827: an attacker may
    /// spoof there.
    ///
    /// # Panics
    /// When there is no such node: a bug of the driver.
    pub fn let_spoof(&mut self, node: &ActorName) {
        let index = self.index_of(node);
        self.spoofers.insert(index);
    }

    pub(super) fn check(&self, link: &LinkName, plan: &LinkPlan) -> Result<(), FabricError> {
        validate(plan).map_err(|problem| FabricError::BadLink { link: link.clone(), problem })?;
        match &plan.trace {
            Some(trace) if !self.traces.contains_key(trace) => {
                Err(FabricError::UnknownTrace { link: link.clone(), trace: trace.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Adds both directions of a link.
    fn add_ways(&mut self, owner: &str, up: LinkPlan, down: LinkPlan) -> Result<Ways, FabricError> {
        let (up_name, down_name) = link_names(owner);
        self.check(&up_name, &up)?;
        self.check(&down_name, &down)?;
        for name in [&up_name, &down_name] {
            if self.link_names.contains_key(name) {
                return Err(FabricError::LinkNameTaken(name.clone()));
            }
        }
        let mut add = |name: LinkName, plan: LinkPlan| {
            event!(LinkChanged { link: name.clone(), to: Box::new(plan.clone()) });
            let recording = plan.trace.as_ref().map(|trace| &self.traces[trace]);
            self.links.push(Link::new(name.clone(), plan, recording, &self.seeds));
            self.link_names.insert(name, self.links.len() - 1);
            self.links.len() - 1
        };
        Ok(Ways { up: add(up_name, up), down: add(down_name, down) })
    }
}
