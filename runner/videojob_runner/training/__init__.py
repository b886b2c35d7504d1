"""
What training engines share: the loop, exact resumable state, weight averages, data, losses, metrics and previews.

An engine writes a `module.TrainingModule` (its networks, optimizers and one training step) and hands it to
`trainer.Trainer`. Nothing here knows an engine, a job or a cluster; `context` states what the loop needs of its caller.
"""
