#pragma once
// How a run goes, decided as a whole before its first step: prepare_run() reads, checks and decides, and train() then
// carries it out. Nothing is decided or changed afterwards.
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "communicator/communicator.h"
#include "data/walk_dataset.h"
#include "model/companions.h"
#include "model/config.h"
#include "train/checkpoint.h"
#include "train/notice_once.h"
#include "train/run_folder.h"
#include "train/run_lock.h"
#include "train/schedule.h"

namespace strider {

struct RunPlan {
  TrainingSettings settings;  // the user's, with what follows from them, and a precision
  WalkDataset dataset;        // without a validation split that has nothing to predict
  LlamaConfig config;
  StepPlan steps;
  nlohmann::json fingerprint;            // the settings that checkpoints record
  ModelCompanions companions;            // what lies beside the weights in checkpoints and final_model
  std::optional<double> best_loss = {};  // RunEnded's
  bool replaces_earlier_run = false;     // what an earlier run left in output_dir is removed first
  bool continues_with_another_schedule = false;
  bool engine_holds_dataset = false;  // train/held_dataset.h
  std::string resumed_from = {};      // the checkpoint's name; empty: the run begins at its first step
};

/// What the first step finds. Large, and of no use after that: taken from the plan's side to be given back early.
struct RunStart {
  std::vector<float> weights;            // of a run that begins
  std::optional<Checkpoint> checkpoint;  // of a run that goes on
};

struct PreparedRun {
  std::unique_ptr<const RunLock> lock;  // on output_dir, for as long as the run lasts
  std::unique_ptr<const RunPlan> plan;
  RunStart start;
  std::optional<FinishedRun> finished;  // by an earlier sitting: nothing is left to do
};

/// Throws Error where the run is refused: bad input, too little memory, or an output folder whose run this one may not
/// go on with or replace. Takes the folder's lock (RunLock), and changes nothing else in it. With PRECISION=auto and no
/// earlier run it makes a trial of the two precisions. `ranks`: those that will share the steps, if any.
PreparedRun prepare_run(const TrainingSettings& asked, RunListener& listener, NoticeOnce& notice,
                        Communicator* ranks = nullptr);

}  // namespace strider
