// Which question does a policy answer? Its slot: `using slot = slots::...`. Policies of a spec come in any
// order.
#pragma once

namespace crispnas::slots {
struct space {};         ///< the cell graph                       (default darts_cell)
struct channels {};      ///< the share of channels that ops see   (default partial_channels<4>)
struct edge_budget {};   ///< which edges are to be kept           (default edges_8_of_14)
struct op_budget {};     ///< how many ops are kept on an edge     (default op_budget<1>)
struct op_threshold {};  ///< how weak a kept op may be            (default op_threshold<0>)
struct op_weights {};    ///< how alpha becomes weights of ops     (default softmax_ops)
struct beta_owner {};    ///< which cell type uses which beta      (default own_betas)
struct edge_weights {};  ///< how beta becomes a weight            (default softmax_times_kept)
struct beta_cap {};      ///< where beta is held at 1              (default clamped_beta)
struct liveness {};      ///< whether dying sources lose weight    (default live_sources_in_joint_groups)
struct edge_choice {
};  ///< what ranks the edges at the cut      (default by_edge_weight, or by_strongest_op without beta)
struct regularizer {};  ///< what is added to the loss            (default da2s<>)
}  // namespace crispnas::slots
