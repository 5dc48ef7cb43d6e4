#!/bin/bash
# SageMaker HyperPod, OnCreate: name this file in LifeCycleConfig. It is read and not executed from S3, where modes
# are lost, so the other one is started by its shell.
case ${BASH_SOURCE[0]} in
  */*) here=${BASH_SOURCE[0]%/*} ;;
  *) here=. ;;
esac
exec /bin/sh "$here/start.sh" on-create "$@"
