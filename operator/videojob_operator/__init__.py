"""The operator: watches VideoJobs, runs each as a Job, keeps its status true."""
