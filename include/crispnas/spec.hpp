// The torch-free layer: cell graphs, ops, budgets, schedules, regularizer choices, spec<>.
#pragma once

#include <crispnas/spec/cell.hpp>
#include <crispnas/spec/edge.hpp>
#include <crispnas/spec/edge_budget.hpp>
#include <crispnas/spec/feasible.hpp>
#include <crispnas/spec/op.hpp>
#include <crispnas/spec/op_set.hpp>
#include <crispnas/spec/policies.hpp>
#include <crispnas/spec/regularizer.hpp>
#include <crispnas/spec/schedule.hpp>
#include <crispnas/spec/slot.hpp>
#include <crispnas/spec/spec.hpp>
#include <crispnas/spec/table.hpp>
